import { useEffect, useRef } from 'react';
import { useLocation, useNavigationType } from 'react-router';

/** The heading that has the focus because somebody came to its page. */
let held: HTMLElement | undefined;

function hold(heading: HTMLElement | null): void {
  heading?.focus({ preventScroll: true });
  held = heading ?? undefined;
}

/**
 * Whoever goes to another page begins at its top and at its heading, as after a load. An address that is only replaced
 * (a draft gets its own while it is written) moves nothing; on the way back the browser scrolls to where one was. Pages
 * that take the place of the question for the key are come to as well.
 */
export function useArrival(arePagesShown: boolean): void {
  const { pathname } = useLocation();
  const kind = useNavigationType();
  const before = useRef(pathname);
  useEffect(() => {
    if (before.current === pathname) return;
    before.current = pathname;
    if (kind === 'REPLACE') return;
    if (kind === 'PUSH') scrollTo(0, 0);
    hold(document.querySelector<HTMLElement>('#main h1'));
  }, [pathname, kind]);
  const wereShown = useRef(arePagesShown);
  useEffect(() => {
    if (arePagesShown && !wereShown.current) hold(document.querySelector<HTMLElement>('#main h1'));
    wereShown.current = arePagesShown;
  }, [arePagesShown]);
}

/** For the ref of each heading: the one that takes the place of one with the focus (its page was loading) gets it. */
export function takeOver(heading: HTMLElement | null): void {
  if (!heading || !held || held.isConnected) return;
  if (document.activeElement === document.body) hold(heading);
  else held = undefined;
}
