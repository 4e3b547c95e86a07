import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { takeKeyFromAddress } from './api/key.ts';
import { mayRetry, retryDelayMs } from './api/retry.ts';
import { Pages } from './pages.tsx';
import './style.css';

takeKeyFromAddress();
addEventListener('hashchange', takeKeyFromAddress);

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // This page asks one machine, often the same one: whether that answers is seen by asking it.
      networkMode: 'always',
      staleTime: 1_000,
      retry: mayRetry,
      retryDelay: retryDelayMs,
    },
    mutations: { networkMode: 'always' },
  },
});

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Pages />
        </BrowserRouter>
      </QueryClientProvider>
    </StrictMode>,
  );
