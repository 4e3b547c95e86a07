import { Page } from '../ui/parts.tsx';

export const ContactsPage = () => <Page title="Contacts">…</Page>;
