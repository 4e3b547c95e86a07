import { useEffect, useRef, useState } from 'react';
import { useTheme } from './theme.ts';

/** The frame says its height itself: not believed beyond this; there it scrolls. */
const MAX_PX = 480;
const MIN_PX = 64;

interface MessageBodyProps {
  readonly contentType: string;
  readonly body: string;
  /** What a screen reader calls the frame. */
  readonly label: string;
}

/**
 * The text of a message, in a frame without an origin: what somebody else wrote can reach nothing of this page. It is
 * handed over when the frame says that it listens, and again when it or the theme changes.
 */
export function MessageBody({ contentType, body, label }: MessageBodyProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const isReady = useRef(false);
  const theme = useTheme();
  const shown = useRef({ contentType, body, theme });
  const [height, setHeight] = useState(MIN_PX);

  useEffect(() => {
    const show = () => frame.current?.contentWindow?.postMessage(shown.current, '*');
    const hear = (event: MessageEvent) => {
      // A frame without an origin has nothing else to be known by.
      if (!frame.current || event.source !== frame.current.contentWindow) return;
      const told = event.data as { frame?: unknown; ready?: unknown; height?: unknown } | null;
      if (told?.frame !== 'volley-message') return;
      if (told.ready === true) {
        isReady.current = true;
        show();
      }
      if (typeof told.height === 'number') setHeight(Math.min(MAX_PX, Math.max(MIN_PX, Math.ceil(told.height) || 0)));
    };
    addEventListener('message', hear);
    return () => removeEventListener('message', hear);
  }, []);

  useEffect(() => {
    shown.current = { contentType, body, theme };
    if (isReady.current) frame.current?.contentWindow?.postMessage(shown.current, '*');
  }, [contentType, body, theme]);

  return (
    <iframe
      ref={frame}
      src="/message-frame.html"
      sandbox="allow-scripts"
      title={label}
      style={{ height }}
      // White also in the dark where it is HTML: such mails are designed for white paper.
      className={`block w-full rounded-md border border-line ${
        contentType === 'text/html'
          ? 'bg-white scheme-light'
          : theme === 'dark'
            ? 'bg-panel scheme-dark'
            : 'bg-panel scheme-light'
      }`}
    />
  );
}
