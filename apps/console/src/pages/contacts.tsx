import { useSearchParams } from 'react-router';
import { ContactList } from '../contacts/contact-list.tsx';
import { ImportCard } from '../contacts/import-card.tsx';
import { Card, Page } from '../ui/parts.tsx';

export function ContactsPage() {
  const [search, setSearch] = useSearchParams();
  const rule = search.get('segment_rule') ?? '';
  return (
    <Page title="Contacts">
      <ImportCard />
      <Card title="Who is here">
        <ContactList rule={rule} onRule={(next) => setSearch(next === '' ? {} : { segment_rule: next })} />
      </Card>
    </Page>
  );
}
