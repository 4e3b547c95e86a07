import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { Link, NavLink } from 'react-router';
import { apiKey, onApiKey } from '../api/key.ts';
import { useAway } from '../live/use-away.ts';
import { Button, buttonClass } from './controls.tsx';
import { KeyLayer, KeyPage } from './key-form.tsx';
import { setTheme, useTheme } from './theme.ts';
import { useArrival } from './use-arrival.ts';

const PLACES = [
  ['/campaigns', 'Campaigns'],
  ['/failures', 'Failures'],
  ['/contacts', 'Contacts'],
  ['/pipeline', 'Pipeline'],
] as const;

/** What stands around every page: the way to the others, and whether the API answers. */
export function Frame({ children }: { children: ReactNode }) {
  const away = useAway();
  const { hasKey, hadKey } = useKey();
  const isLocked = hadKey && !hasKey;
  useArrival(hadKey);
  return (
    <>
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:m-2 focus:bg-panel focus:p-2">
        To the content
      </a>
      <header className="border-b border-line bg-panel">
        <div className="mx-auto flex max-w-6xl flex-wrap items-center gap-x-5 gap-y-2 px-4 py-2">
          <Link to="/campaigns" className="flex items-center gap-2 font-semibold">
            <img src="/icon.svg" alt="" width="24" height="24" /> Volley
          </Link>
          <nav aria-label="Main" className="flex flex-wrap gap-1">
            {PLACES.map(([to, name]) => (
              <NavLink
                key={to}
                to={to}
                className="rounded-md px-2.5 py-1.5 text-sm text-soft hover:bg-raised aria-[current=page]:bg-raised aria-[current=page]:text-ink"
              >
                {name}
              </NavLink>
            ))}
          </nav>
          <span className="ms-auto flex items-center gap-2">
            <ThemeButton />
            {hadKey && (
              <Link to="/campaigns/new" className={buttonClass('primary')}>
                New campaign
              </Link>
            )}
          </span>
        </div>
      </header>
      {/* Above the page, wherever it is scrolled to, and without moving it. */}
      <div role="status" className="pointer-events-none sticky top-0 z-20 h-0">
        {away && (
          <p className="mx-auto w-fit max-w-full rounded-b-lg bg-bad px-3 py-1.5 text-center text-xs font-medium sm:px-4 sm:py-2 sm:text-sm text-ground shadow-lg">
            The API does not answer. What you see is the last that was known; it goes on by itself when the API is back.
          </p>
        )}
      </div>
      <main id="main" inert={isLocked} className={`mx-auto max-w-6xl px-4 py-6 ${isLocked ? 'invisible' : ''}`}>
        {hadKey ? children : <KeyPage />}
      </main>
      <KeyLayer open={isLocked} />
    </>
  );
}

/** Once there was a key the pages stay, with what was typed into them. Another key asks for everything again. */
function useKey(): { hasKey: boolean; hadKey: boolean } {
  const key = useSyncExternalStore(onApiKey, apiKey);
  const [hadKey, setHadKey] = useState(key !== null);
  if (key !== null && !hadKey) setHadKey(true);
  const cache = useQueryClient();
  const before = useRef(key);
  useEffect(() => {
    if (key === null || before.current === key) return;
    before.current = key;
    void cache.invalidateQueries();
  }, [key, cache]);
  return { hasKey: key !== null, hadKey };
}

function ThemeButton() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <Button
      kind="quiet"
      aria-label={`Use the ${other} theme`}
      title={`Use the ${other} theme`}
      onClick={() => setTheme(other)}
    >
      <span aria-hidden>{theme === 'dark' ? '☀' : '☾'}</span>
    </Button>
  );
}
