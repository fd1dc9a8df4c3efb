import { memo, useCallback, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Alert, Button, Checkbox, FormSelect, FormSelectOption, SearchInput } from '@patternfly/react-core';
import { kLogBatch, readLogs, type LogLine } from '../api/logs';
import type { Endpoint } from '../api/types';
import { t } from '../strings';
import { findAll, mark, plain, toPieces, type Piece } from '../ui/logtext';
import { messageOf } from '../ui/parts';

const kKept = 5000;
const kPollMs = 1000;
const kMaxPauseMs = 30_000;
const kNanosPerMs = 1_000_000n;
/** Instances deliver in parallel: a line may come after one that is younger. */
const kOverlap = 2_000_000_000n;
const kAtEndPixels = 24;

interface Shown { id: number; key: string; at: bigint; line: LogLine; pieces: Piece[]; text: string }

const timeOf = (at: bigint) => new Date(Number(at / kNanosPerMs));
const pad = (value: number, digits = 2) => String(value).padStart(digits, '0');
const clock = (time: Date) => `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`;

/** What is kept of the log, in its order; each line once. */
class Buffer {
  lines: Shown[] = [];
  private readonly keys = new Set<string>();
  private made = 0;

  get newest() { return this.lines.at(-1)?.at; }

  add(batch: LogLine[]) {
    const before = this.newest ?? 0n;
    const fresh: Shown[] = [];
    for (const line of batch) {
      const key = JSON.stringify([line.timestamp, line.instance, line.source, line.stream, line.text]);
      if (this.keys.has(key)) continue;
      this.keys.add(key);
      const pieces = toPieces(line.text);
      fresh.push({ id: (this.made += 1), key, at: BigInt(line.timestamp), line, pieces, text: plain(pieces) });
    }
    if (fresh.length === 0) return;
    let all = [...this.lines, ...fresh];
    if (fresh.some(({ at }) => at < before)) all = all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id - b.id));
    for (const { key } of all.slice(0, -kKept)) this.keys.delete(key);
    this.lines = all.slice(-kKept);
  }
}

/** Reads on while `running` and the page is visible; after a failure more and more seldom. */
function useFollowed(endpoint: string, app: string, running: boolean) {
  const buffer = useRef(new Buffer());
  const [lines, setLines] = useState<Shown[]>([]);
  const [error, setError] = useState<unknown>();
  const [pauseMs, setPauseMs] = useState(0);
  const [visible, setVisible] = useState(() => document.visibilityState === 'visible');
  useEffect(() => {
    const note = () => setVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', note);
    return () => document.removeEventListener('visibilitychange', note);
  }, []);
  useEffect(() => {
    if (!running || !visible) return undefined;
    let timer = 0;
    let stopped = false;
    let failures = 0;
    let withoutOverlap = false;
    const read = async () => {
      let next = kPollMs;
      try {
        const newest = buffer.current.newest;
        const since = newest === undefined ? undefined : withoutOverlap || newest < kOverlap ? newest : newest - kOverlap;
        const batch = await readLogs(endpoint, app, since);
        if (stopped) return;
        buffer.current.add(batch);
        failures = 0;
        setError(undefined);
        setLines(buffer.current.lines);
        // There is more than one answer holds: go on at once, past what was read.
        withoutOverlap = since !== undefined && batch.length >= kLogBatch;
        if (withoutOverlap) next = 0;
      } catch (problem) {
        if (stopped) return;
        failures += 1;
        next = Math.min(kMaxPauseMs, kPollMs * 2 ** failures);
        setPauseMs(next);
        setError(problem);
      }
      timer = window.setTimeout(() => void read(), next);
    };
    void read();
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [endpoint, app, running, visible]);
  return { lines, error, pauseMs, visible };
}

const LineView = memo(function LineView({ shown: { at, line, pieces, text }, wanted }: { shown: Shown; wanted: string }) {
  const time = timeOf(at);
  return (
    <div className={line.stream === 'err' ? 'st-log-line st-log-err' : 'st-log-line'}>
      <time dateTime={time.toISOString()}>{clock(time)}</time>
      <span className="st-log-source">{line.source}/{line.instance}{line.stream === 'err' && ' ERR'}</span>
      <bdi className="st-log-text" dir="ltr">
        {mark(pieces, findAll(text, wanted)).map(({ text: part, style, isMatch }, index) =>
          (isMatch ? <mark key={index} className={style}>{part}</mark> : <span key={index} className={style || undefined}>{part}</span>))}
      </bdi>
    </div>
  );
});

export default function Logs({ endpoint, guid, name }: { endpoint: Endpoint; guid: string; name: string }) {
  const [running, setRunning] = useState(true);
  const { lines: kept, error, pauseMs, visible } = useFollowed(endpoint.guid, guid, running);
  const [cleared, setCleared] = useState(0);
  const lines = useMemo(() => kept.filter(({ id }) => id > cleared), [kept, cleared]);
  const [typed, setTyped] = useState('');
  const wanted = useDeferredValue(typed);
  const [onlyMatches, setOnlyMatches] = useState(false);
  const [instance, setInstance] = useState('');
  const [stream, setStream] = useState('');
  const pane = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const [showsJump, setShowsJump] = useState(false);

  const instances = useMemo(() => [...new Set(lines.map(({ line }) => line.instance))].sort((a, b) => Number(a) - Number(b)), [lines]);
  const passing = useMemo(
    () => lines.filter(({ line }) => (!instance || line.instance === instance) && (!stream || line.stream === stream)), [lines, instance, stream]);
  const matching = useMemo(() => (wanted ? passing.filter(({ text }) => findAll(text, wanted).length > 0) : []), [passing, wanted]);
  const matches = useMemo(() => matching.reduce((sum, { text }) => sum + findAll(text, wanted).length, 0), [matching, wanted]);
  const shown = wanted && onlyMatches ? matching : passing;

  const toEnd = useCallback(() => {
    if (pane.current) pane.current.scrollTop = pane.current.scrollHeight;
  }, []);
  useLayoutEffect(() => {
    if (atEnd.current) toEnd();
  }, [shown, toEnd]);
  const noteScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = pane.current ?? { scrollTop: 0, scrollHeight: 0, clientHeight: 0 };
    atEnd.current = scrollHeight - scrollTop - clientHeight < kAtEndPixels;
    setShowsJump(!atEnd.current);
  };
  const download = () => {
    const text = shown.map(({ at, line }) => `${timeOf(at).toISOString()} [${line.source}/${line.instance}] ${line.stream.toUpperCase()} ${line.text}\n`).join('');
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 100)}.log`;
    link.click();
    URL.revokeObjectURL(url);
  };
  const state = !running ? t.logs.paused : !visible ? t.logs.hidden : t.logs.following;

  return (
    <>
      <div className="st-tools">
        <SearchInput className="st-search" aria-label={t.logs.search} placeholder={t.logs.search} value={typed}
          onChange={(_, value) => setTyped(value)} onClear={() => setTyped('')} />
        <span role="status">{wanted && t.logs.matches(matches)}</span>
        <Checkbox id="only-matches" label={t.logs.onlyMatches} isChecked={onlyMatches} onChange={(_, on) => setOnlyMatches(on)} />
        <FormSelect className="st-select-small" aria-label={t.logs.instance} value={instance} onChange={(_, value) => setInstance(value)}>
          <FormSelectOption value="" label={t.logs.allInstances} />
          {instances.map((each) => <FormSelectOption key={each} value={each} label={t.logs.instanceNumber(each)} />)}
        </FormSelect>
        <FormSelect className="st-select-small" aria-label={t.logs.stream} value={stream} onChange={(_, value) => setStream(value)}>
          <FormSelectOption value="" label={t.logs.allStreams} />
          <FormSelectOption value="out" label={t.logs.out} />
          <FormSelectOption value="err" label={t.logs.err} />
        </FormSelect>
      </div>
      <div className="st-tools">
        <Button variant="secondary" onClick={() => setRunning(!running)}>{running ? t.logs.pause : t.logs.resume}</Button>
        <Button variant="secondary" onClick={download} isDisabled={shown.length === 0}>{t.logs.download}</Button>
        <Button variant="secondary" onClick={() => setCleared(Math.max(cleared, ...lines.map(({ id }) => id)))} isDisabled={lines.length === 0}>{t.logs.clear}</Button>
        {showsJump && <Button variant="link" onClick={() => { toEnd(); pane.current?.focus(); }}>{t.logs.toEnd}</Button>}
        <span className="st-count"><span role="status">{state}</span>, {t.logs.count(shown.length, lines.length, kKept)}</span>
      </div>
      <div role="alert">
        {error !== undefined && running && (
          <Alert className="st-gap" variant="warning" isInline title={t.logs.problem}>{messageOf(error)} {t.logs.retrying(pauseMs / 1000)}</Alert>
        )}
      </div>
      <div ref={pane} className="st-log" role="log" aria-label={t.logs.title} aria-live={running ? 'polite' : 'off'} tabIndex={0} onScroll={noteScroll}>
        {shown.length === 0 && <div className="st-log-line">{lines.length === 0 ? t.logs.none : t.logs.nothing}</div>}
        {shown.map((each) => <LineView key={each.id} shown={each} wanted={wanted} />)}
      </div>
    </>
  );
}
