import { lazy, Suspense } from 'react';
import { Navigate, Route, Routes, useLocation } from 'react-router';
import { CampaignsPage } from './pages/campaigns.tsx';
import { ContactsPage } from './pages/contacts.tsx';
import { FailuresPage } from './pages/failures.tsx';
import { MessagePage } from './pages/message.tsx';
import { MessagesPage } from './pages/messages.tsx';
import { NewCampaignPage } from './pages/new-campaign.tsx';
import { PipelinePage } from './pages/pipeline.tsx';
import { LettersHost } from './redrive/letters-host.tsx';
import { Boundary } from './ui/boundary.tsx';
import { Frame } from './ui/frame.tsx';
import { Page } from './ui/parts.tsx';
import { Empty, Loading } from './ui/states.tsx';

// The only page with charts.
const CampaignPage = lazy(() => import('./pages/campaign.tsx').then((page) => ({ default: page.CampaignPage })));

const Nowhere = () => (
  <Page title="There is no such page">
    <Empty title={`Nothing is at ${useLocation().pathname.slice(0, 200)}`} />
  </Page>
);

/** Every page by its address. */
export const Pages = () => (
  <Frame>
    <LettersHost />
    <Boundary place={useLocation().pathname}>
      <Suspense fallback={<Loading rows={6} />}>
        <Routes>
          <Route path="/" element={<Navigate to="/campaigns" replace />} />
          <Route path="/campaigns" element={<CampaignsPage />} />
          <Route path="/campaigns/new" element={<NewCampaignPage />} />
          <Route path="/campaigns/:id" element={<CampaignPage />} />
          <Route path="/campaigns/:id/edit" element={<NewCampaignPage />} />
          <Route path="/campaigns/:id/messages" element={<MessagesPage />} />
          <Route path="/messages/:id" element={<MessagePage />} />
          <Route path="/failures" element={<FailuresPage />} />
          <Route path="/contacts" element={<ContactsPage />} />
          <Route path="/pipeline" element={<PipelinePage />} />
          <Route path="*" element={<Nowhere />} />
        </Routes>
      </Suspense>
    </Boundary>
  </Frame>
);
