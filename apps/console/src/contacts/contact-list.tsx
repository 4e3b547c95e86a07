import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiProblem, ask } from '../api/client.ts';
import type { ContactView, Page as PageOf } from '../api/types.ts';
import { Button } from '../ui/controls.tsx';
import { PageButtons } from '../ui/page-buttons.tsx';
import { Answered, Empty } from '../ui/states.tsx';
import { Table, Th } from '../ui/table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { ContactRow } from './contact-row.tsx';
import { DeleteContact } from './delete-contact.tsx';
import { FILE_INPUT_ID } from './import-form.tsx';
import { RuleForm } from './rule-form.tsx';

const PAGE_SIZE = 50;

interface ContactListProps {
  readonly rule: string;
  onRule(rule: string): void;
}

/** Contacts of a segment, in the order in which they came; another rule is another list. */
export function ContactList({ rule, onRule }: ContactListProps) {
  const pages = usePages();
  const [ofRule, setOfRule] = useState(rule);
  // Of another segment there is another first page, also when the way there was the browser's own "back".
  if (ofRule !== rule) {
    setOfRule(rule);
    pages.first();
  }
  const [deleting, setDeleting] = useState<ContactView>();
  const query = useQuery({
    queryKey: ['contacts', rule, pages.cursor ?? ''],
    queryFn: ({ signal }) =>
      ask<PageOf<ContactView>>('/v1/contacts', {
        query: { segment_rule: rule, cursor: pages.cursor, limit: PAGE_SIZE },
        signal,
      }),
    placeholderData: keepPreviousData,
  });
  const wrong = query.error instanceof ApiProblem && query.error.status === 422 ? query.error : undefined;
  const next = query.data?.next_cursor;
  return (
    <div className="flex flex-col gap-4">
      <RuleForm rule={rule} problem={wrong} onRule={onRule} />
      {wrong ? (
        <Empty title="This rule names nobody: it cannot be read" />
      ) : (
        <Answered query={query} rows={8}>
          {({ data }) =>
            data.length === 0 ? (
              <Nobody rule={rule} isLater={pages.cursor !== undefined} onRule={onRule} />
            ) : (
              <div className={query.isPlaceholderData ? 'opacity-60' : ''} aria-busy={query.isPlaceholderData}>
                <Table label="Contacts">
                  <thead>
                    <tr>
                      <Th>Recipient</Th>
                      <Th>Name</Th>
                      <Th>Tags</Th>
                      <Th>Attributes</Th>
                      <Th>Created</Th>
                      <Th>
                        <span className="sr-only">What can be done</span>
                      </Th>
                    </tr>
                  </thead>
                  <tbody>
                    {data.map((contact) => (
                      <ContactRow key={contact.contact_id} contact={contact} onDelete={() => setDeleting(contact)} />
                    ))}
                  </tbody>
                </Table>
              </div>
            )
          }
        </Answered>
      )}
      {!wrong && (
        <PageButtons
          label="Pages of contacts"
          names={['Previous', 'Next']}
          previous={pages.previous}
          next={next && !query.isPlaceholderData ? () => pages.next(next) : undefined}
        />
      )}
      <DeleteContact contact={deleting} onClose={() => setDeleting(undefined)} />
    </div>
  );
}

function Nobody({ rule, isLater, onRule }: ContactListProps & { isLater: boolean }) {
  if (isLater) return <Empty title="No more contacts on this page" />;
  if (rule !== '')
    return (
      <Empty title="Nobody matches this rule">
        <p>
          <Button onClick={() => onRule('')}>Show everyone</Button>
        </p>
      </Empty>
    );
  return (
    <Empty title="No contacts yet">
      <p>Bring them as a file: an address in each line is enough.</p>
      <p className="mt-3">
        <Button kind="primary" onClick={() => document.getElementById(FILE_INPUT_ID)?.click()}>
          Choose a file to import
        </Button>
      </p>
    </Empty>
  );
}
