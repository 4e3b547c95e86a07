import { Page } from '../ui/parts.tsx';

export const FailuresPage = () => <Page title="Failures">…</Page>;
