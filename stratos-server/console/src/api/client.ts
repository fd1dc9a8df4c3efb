import { t } from '../strings';
import type { Info, Page } from './types';

/** The server answered with a refusal, or (status 0) not at all. */
export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly headers: Headers = new Headers()) {
    super(message);
  }
}

export type Verified =
  | { kind: 'in'; info: Info; expiresAt: number }
  | { kind: 'out'; sso: string | null }
  | { kind: 'domain'; domain: string }
  | { kind: 'setup' }
  | { kind: 'upgrade' }
  | { kind: 'unreachable' }
  | { kind: 'failed'; status: number };

let xsrfToken = '';
let onSessionEnd: () => void = () => undefined;
export const setSessionEndHandler = (handler: () => void) => { onSessionEnd = handler; };

const kUnixSecond = 1000;
const now = () => Math.floor(Date.now() / kUnixSecond);

/** What a refusal says: {"error": text} or {"error": {...}} of ours, {"errors": [...]} of a Cloud Controller, else plain text. */
function refusalText(status: number, contentType: string, body: string): string {
  try {
    const parsed = JSON.parse(body) as { error?: unknown; errors?: { detail?: string }[]; message?: unknown; error_description?: unknown };
    for (const candidate of [parsed.error_description, parsed.error, parsed.message, parsed.errors?.[0]?.detail]) {
      if (typeof candidate === 'string' && candidate) return candidate;
    }
  } catch {
    if (body && body.length < 300 && contentType.startsWith('text/plain')) return body;
  }
  return t.errors.status(status);
}

async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (xsrfToken) headers.set('x-xsrf-token', xsrfToken);
  headers.set('x-cap-request-date', String(now()));
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, credentials: 'same-origin' });
  } catch {
    throw new ApiError(0, t.errors.unreachable);
  }
  const token = response.headers.get('x-xsrf-token');
  if (token) xsrfToken = token;
  return response;
}

interface CallOptions { method?: string; form?: Record<string, string>; json?: unknown; text?: string; headers?: Record<string, string>; ownRefusal?: boolean; raw?: boolean }

/** Calls the console. `ownRefusal`: a 401 is about what was sent, it does not mean that the session is over. `raw`: the answer is text. */
export const call = <T,>(path: string, options: CallOptions = {}): Promise<T> => exchange<T>(path, options).then(({ data }) => data);

async function exchange<T>(path: string, options: CallOptions = {}): Promise<{ data: T; headers: Headers }> {
  const headers: Record<string, string> = { ...options.headers };
  let body: BodyInit | undefined;
  if (options.form) body = new URLSearchParams(options.form);
  if (options.json !== undefined) {
    body = JSON.stringify(options.json);
    headers['content-type'] = 'application/json';
  }
  if (options.text !== undefined) {
    body = options.text;
    headers['content-type'] = 'text/plain';
  }
  const response = await send(path, { method: options.method ?? (body === undefined ? 'GET' : 'POST'), headers, body });
  const text = await response.text();
  if (!response.ok) {
    if (response.status === 401 && !options.ownRefusal) onSessionEnd();
    throw new ApiError(response.status, refusalText(response.status, response.headers.get('content-type') ?? '', text), response.headers);
  }
  return { data: options.raw ? (text as T) : parseAnswer<T>(text), headers: response.headers };
}

function parseAnswer<T>(text: string): T {
  if (!text) return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    return text as T;
  }
}

export async function verify(): Promise<Verified> {
  let response: Response;
  try {
    response = await send('/api/v1/auth/verify');
  } catch {
    return { kind: 'unreachable' };
  }
  if (response.status === 503 && response.headers.get('stratos-setup-required')) return { kind: 'setup' };
  if (response.status === 503 && response.headers.get('retry-after')) return { kind: 'upgrade' };
  if (!response.ok) return { kind: 'failed', status: response.status };
  const body = (await response.json()) as { status: string; data: Info | null };
  if (body.status === 'ok' && body.data) {
    return { kind: 'in', info: body.data, expiresAt: Number(response.headers.get('x-cap-session-expires-on')) };
  }
  const domain = (response.headers.get('x-stratos-domain') ?? '').replace(/^\./, '');
  if (domain && location.hostname !== domain && !location.hostname.endsWith(`.${domain}`)) return { kind: 'domain', domain };
  return { kind: 'out', sso: response.headers.get('x-stratos-sso-login') };
}

export const signIn = (username: string, password: string) =>
  call('/pp/v1/auth/login/uaa', { form: { username, password }, ownRefusal: true });
export async function signOut(): Promise<{ isSSO: boolean }> {
  const result = await call<{ isSSO: boolean }>('/pp/v1/auth/logout', { method: 'POST', ownRefusal: true });
  xsrfToken = '';
  return result;
}

/** Through the proxy. An endpoint's own 401 says nothing about our session. */
const throughProxy = (guid: string, path: string, options: CallOptions): [string, CallOptions] =>
  [`/pp/v1/proxy/${path}`, { ...options, ownRefusal: true, headers: { ...options.headers, 'x-cap-cnsi-list': guid, 'x-cap-passthrough': 'true' } }];

/** Calls one endpoint. */
export const callEndpoint = <T,>(guid: string, path: string, options: CallOptions = {}): Promise<T> => call<T>(...throughProxy(guid, path, options));

interface Job { state: string; errors?: { detail?: string; title?: string }[] }
const kJob = /\/v3\/jobs\/([^/?#]+)/;
const kFirstLookMs = 500;
const kLastLookMs = 5000;

/** A call to a Cloud Controller that may begin a job: returns when that is over, and throws when it has failed. */
export async function runJob(guid: string, path: string, options: CallOptions, report: (state: string) => void = () => undefined): Promise<void> {
  const { headers } = await exchange(...throughProxy(guid, path, options));
  const id = kJob.exec(headers.get('location') ?? '')?.[1];
  for (let pause = kFirstLookMs; id; pause = Math.min(pause * 1.5, kLastLookMs)) {
    const { state, errors } = await callEndpoint<Job>(guid, `v3/jobs/${id}`);
    report(state);
    if (state === 'COMPLETE') return;
    if (state === 'FAILED') throw new ApiError(0, errors?.map(({ detail, title }) => detail ?? title).filter(Boolean).join(' ') || t.errors.jobFailed);
    await new Promise((resolve) => window.setTimeout(resolve, pause));
  }
}

export function listOf<T>(guid: string, collection: string, query: Record<string, string>): Promise<Page<T>> {
  return callEndpoint<Page<T>>(guid, `v3/${collection}?${new URLSearchParams(query)}`);
}

export const secondsUntil = (expiresAt: number) => expiresAt - now();
