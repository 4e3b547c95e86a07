import { type ReactNode, useState, useSyncExternalStore } from 'react';
import { Link, NavLink } from 'react-router';
import { apiKey, onApiKey, setApiKey } from '../api/key.ts';
import { useAway } from '../live/use-away.ts';
import { Button, buttonClass, Field, Input } from './controls.tsx';
import { setTheme, useTheme } from './theme.ts';

const PLACES = [
  ['/campaigns', 'Campaigns'],
  ['/failures', 'Failures'],
  ['/contacts', 'Contacts'],
  ['/pipeline', 'Pipeline'],
] as const;

/** What stands around every page: the way to the others, and whether the API answers. */
export function Frame({ children }: { children: ReactNode }) {
  const away = useAway();
  const key = useSyncExternalStore(onApiKey, apiKey);
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
            {key !== null && (
              <Link to="/campaigns/new" className={buttonClass('primary')}>
                New campaign
              </Link>
            )}
          </span>
        </div>
      </header>
      <div role="status" aria-live="polite">
        {away && (
          <p className="bg-bad px-4 py-2 text-center text-sm font-medium text-ground">
            The API does not answer. What you see is the last that was known; it goes on by itself when the API is back.
          </p>
        )}
      </div>
      <main id="main" className="mx-auto max-w-6xl px-4 py-6">
        {key === null ? <KeyForm /> : children}
      </main>
    </>
  );
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

function KeyForm() {
  const [key, setKey] = useState('');
  return (
    <form
      className="mx-auto mt-10 flex max-w-md flex-col gap-4 rounded-lg border border-line bg-panel p-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (key.trim() !== '') setApiKey(key.trim());
      }}
    >
      <title>API key · Volley</title>
      <h1 className="text-lg font-semibold">Which API key?</h1>
      <Field label="API key" hint="It stays in this tab. `npm start` prints one, and the address of this page with it.">
        {(ids) => (
          <Input
            {...ids}
            type="password"
            autoComplete="off"
            spellCheck={false}
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        )}
      </Field>
      <Button kind="primary" type="submit" disabled={key.trim() === ''}>
        Go on
      </Button>
    </form>
  );
}
