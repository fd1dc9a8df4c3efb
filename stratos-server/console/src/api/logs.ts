import { call } from './client';

export interface LogLine { timestamp: string; instance: string; source: string; stream: 'out' | 'err'; text: string }
export const kLogBatch = 1000;

/** The lines after `since` (nanoseconds), or the newest ones. */
export async function readLogs(endpoint: string, app: string, since?: bigint): Promise<LogLine[]> {
  const query = new URLSearchParams({ limit: String(kLogBatch), ...(since !== undefined && { since: String(since) }) });
  const text = await call<string>(`/api/v1/cloudfoundry/${encodeURIComponent(endpoint)}/apps/${encodeURIComponent(app)}/logs?${query}`, { raw: true });
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as LogLine);
}
