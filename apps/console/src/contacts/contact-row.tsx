import type { ContactView } from '../api/types.ts';
import { Button } from '../ui/controls.tsx';
import { Foreign, ForeignLine, Time } from '../ui/parts.tsx';
import { Td } from '../ui/table.tsx';

const MAX_TAGS = 6;
const MAX_ATTRIBUTES = 30;
const MAX_VALUE_CHARS = 500;

export function ContactRow({ contact, onDelete }: { contact: ContactView; onDelete: () => void }) {
  const { recipient, name, tags, attributes, created_at } = contact;
  return (
    <tr>
      <Td className="max-w-72 min-w-48 font-medium">
        <ForeignLine text={recipient} />
      </Td>
      <Td className="max-w-56 min-w-32">{name ? <ForeignLine text={name} /> : <span className="text-soft">–</span>}</Td>
      <Td className="min-w-40">
        {tags.length === 0 && <span className="text-soft">–</span>}
        <ul className="flex flex-wrap gap-1" aria-label="Tags">
          {tags.slice(0, MAX_TAGS).map((tag) => (
            <li key={tag} className="max-w-40 rounded border border-line bg-raised px-1.5 text-xs">
              <ForeignLine text={tag} />
            </li>
          ))}
          {tags.length > MAX_TAGS && (
            <li className="text-xs text-soft" title={tags.slice(MAX_TAGS).join(', ').slice(0, 1_000)}>
              and {tags.length - MAX_TAGS} more
            </li>
          )}
        </ul>
      </Td>
      <Td className="max-w-72 min-w-36">
        <Attributes attributes={attributes} />
      </Td>
      <Td>
        <Time iso={created_at} />
      </Td>
      <Td>
        <Button kind="quiet" className="-my-2" aria-label={`Delete ${recipient.slice(0, 100)}`} onClick={onDelete}>
          Delete
        </Button>
      </Td>
    </tr>
  );
}

function Attributes({ attributes }: { attributes: ContactView['attributes'] }) {
  const entries = Object.entries(attributes);
  if (entries.length === 0) return <span className="text-soft">–</span>;
  return (
    <details>
      <summary className="whitespace-nowrap text-accent">
        {entries.length} {entries.length === 1 ? 'attribute' : 'attributes'}
      </summary>
      <dl className="mt-1 text-xs">
        {entries.slice(0, MAX_ATTRIBUTES).map(([key, value]) => {
          const text = typeof value === 'string' ? value : JSON.stringify(value);
          return (
            <div key={key} className="mt-1">
              <dt className="text-soft">
                <Foreign text={key} />
              </dt>
              <dd>
                <Foreign text={text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text} lines />
              </dd>
            </div>
          );
        })}
      </dl>
      {entries.length > MAX_ATTRIBUTES && (
        <p className="text-xs text-soft">and {entries.length - MAX_ATTRIBUTES} more</p>
      )}
    </details>
  );
}
