import '@patternfly/react-core/dist/styles/base.css';
import './patternfly.css';
import './styles.css';
import { createRoot } from 'react-dom/client';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { ApiError } from './api/client';
import { App } from './App';
import { Router } from './router';
import { applyTheme } from './theme';
import { Toasts } from './ui/parts';

applyTheme();
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      // A refusal stays a refusal; what did not arrive may arrive the next time.
      retry: (failures, error) => failures < 1 && !(error instanceof ApiError && error.status > 0 && error.status < 500),
    },
  },
});
const root = document.getElementById('root');
if (!root) throw new Error('index.html has no root');
createRoot(root).render(
  <QueryClientProvider client={queries}>
    <Router>
      <Toasts>
        <App />
      </Toasts>
    </Router>
  </QueryClientProvider>,
);
