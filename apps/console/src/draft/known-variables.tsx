import { useSomeContacts } from './use-some-contacts.ts';
import { namesOf } from './variables.ts';

const MAX_NAME = 80;

/** What a template can name, for whoever has named something else. */
export function KnownVariables() {
  const { names, isMore } = namesOf(useSomeContacts());
  if (names.length === 0) return null;
  return (
    <span className="mt-1 block text-soft wrap-anywhere">
      Your contacts have:{' '}
      {names.map((name, i) => (
        <span key={name}>
          {i > 0 && ', '}
          <bdi>{name.slice(0, MAX_NAME)}</bdi>
        </span>
      ))}
      {isMore && ', …'}
    </span>
  );
}
