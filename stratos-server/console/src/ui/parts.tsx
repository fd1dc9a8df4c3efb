import { createContext, useCallback, useContext, useState, type ReactNode } from 'react';
import {
  Alert, AlertActionCloseButton, AlertGroup, Button, EmptyState, EmptyStateBody, EmptyStateHeader, Form, FormGroup, Modal, Spinner, TextArea, TextInput,
} from '@patternfly/react-core';
import { Link } from '../router';
import { t } from '../strings';

export function Loading() {
  return <div className="st-centre"><Spinner aria-label={t.loading} size="lg" /></div>;
}

export const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export function ErrorPanel({ error, retry, title = t.errors.title }: { error: unknown; retry?: () => void; title?: string }) {
  return (
    <Alert variant="danger" isInline title={title} actionLinks={retry && <Button variant="link" isInline onClick={retry}>{t.retry}</Button>}>
      {messageOf(error)}
    </Alert>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <EmptyState>
      <EmptyStateHeader titleText={title} headingLevel="h2" />
      <EmptyStateBody>{children}</EmptyStateBody>
    </EmptyState>
  );
}

/** Asks before something is destroyed; the text names what. What takes its time may `report` how far it is. */
export function Confirm({ title, text, action, onConfirm, onClose }: {
  title: string; text: string; action: string; onConfirm: (report: (state: string) => void) => Promise<unknown>; onClose: () => void;
}) {
  const [progress, setProgress] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm(setProgress);
      onClose();
    } catch (refusal) {
      setError(refusal);
      setProgress('');
      setBusy(false);
    }
  };
  return (
    <Modal variant="small" isOpen title={title} titleIconVariant="warning" onClose={onClose} actions={[
      <Button key="do" variant="danger" isLoading={busy} isDisabled={busy} onClick={() => void confirm()}>{action}</Button>,
      <Button key="no" variant="link" onClick={onClose}>{t.cancel}</Button>,
    ]}>
      <p>{text}</p>
      <p role="status">{progress && t.working(progress)}</p>
      {error !== undefined && <Alert variant="danger" isInline isPlain title={messageOf(error)} />}
    </Modal>
  );
}

/** A form in a dialog, closed when what it does has been done. */
export function FormDialog({ title, action, isReady = true, onSubmit, onClose, children }: {
  title: string; action: string; isReady?: boolean; onSubmit: () => Promise<unknown>; onClose: () => void; children: ReactNode;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  const submit = async () => {
    setBusy(true);
    setError('');
    try {
      await onSubmit();
      onClose();
    } catch (refusal) {
      setError(messageOf(refusal));
      setBusy(false);
    }
  };
  return (
    <Modal isOpen variant="small" title={title} onClose={onClose} actions={[
      <Button key="do" type="submit" form="dialog-form" isLoading={busy} isDisabled={busy || !isReady}>{action}</Button>,
      <Button key="no" variant="link" onClick={onClose}>{t.cancel}</Button>,
    ]}>
      <Form id="dialog-form" onSubmit={(event) => { event.preventDefault(); if (isReady && !busy) void submit(); }}>
        <div role="alert">{error && <Alert variant="danger" isInline title={error} />}</div>
        {children}
      </Form>
    </Modal>
  );
}

export function Field({ id, label, value, onChange, type = 'text', required = true, area = false, help, autoComplete }: {
  id: string; label: string; value: string; onChange: (value: string) => void; type?: 'text' | 'password' | 'url' | 'number' | 'email'; required?: boolean;
  area?: boolean; help?: string; autoComplete?: string;
}) {
  const change = (_: unknown, next: string) => onChange(next);
  return (
    <FormGroup label={required ? label : `${label} (${t.optional})`} fieldId={id}>
      {area
        ? <TextArea id={id} value={value} onChange={change} rows={5} resizeOrientation="vertical" aria-describedby={help && `${id}-help`} spellCheck={false} />
        : <TextInput id={id} value={value} onChange={change} type={type} required={required} autoComplete={autoComplete} aria-describedby={help && `${id}-help`} />}
      {help && <div id={`${id}-help`} className="st-help">{help}</div>}
    </FormGroup>
  );
}

type Notify = (text: string, variant?: 'success' | 'danger') => void;
const ToastContext = createContext<Notify>(() => undefined);
export const useToast = () => useContext(ToastContext);

export function Toasts({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<{ id: number; text: string; variant: 'success' | 'danger' }[]>([]);
  const remove = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), []);
  const add = useCallback<Notify>((text, variant = 'success') => {
    const id = Date.now() + Math.random();
    setToasts((all) => [...all, { id, text, variant }]);
  }, []);
  return (
    <ToastContext.Provider value={add}>
      {children}
      <AlertGroup isToast isLiveRegion>
        {toasts.map(({ id, text, variant }) => (
          <Alert key={id} variant={variant} title={text} timeout={6000} onTimeout={() => remove(id)}
            actionClose={<AlertActionCloseButton onClose={() => remove(id)} />} />
        ))}
      </AlertGroup>
    </ToastContext.Provider>
  );
}

export function Table({ label, head, children }: { label: string; head: ReactNode[]; children: ReactNode }) {
  return (
    <div className="st-table">
      <table className="pf-v5-c-table pf-m-compact pf-m-grid-md" aria-label={label}>
        <thead className="pf-v5-c-table__thead">
          <tr className="pf-v5-c-table__tr">{head.map((cell, index) => <th key={index} scope="col" className="pf-v5-c-table__th">{cell}</th>)}</tr>
        </thead>
        <tbody className="pf-v5-c-table__tbody">{children}</tbody>
      </table>
    </div>
  );
}
export function Row({ cells, labels }: { cells: ReactNode[]; labels: string[] }) {
  return (
    <tr className="pf-v5-c-table__tr">
      {cells.map((cell, index) => <td key={index} className="pf-v5-c-table__td" data-label={labels[index]}>{cell}</td>)}
    </tr>
  );
}

/** Pages that belong together; `links` are address and text. */
export function TabLinks({ label, current, links }: { label: string; current: string; links: [string, string][] }) {
  return (
    <nav className="pf-v5-c-tabs st-gap" aria-label={label}>
      <ul className="pf-v5-c-tabs__list">
        {links.map(([to, text]) => (
          <li key={to} className={to === current ? 'pf-v5-c-tabs__item pf-m-current' : 'pf-v5-c-tabs__item'}>
            <Link to={to} className="pf-v5-c-tabs__link" isCurrent={to === current}><span className="pf-v5-c-tabs__item-text">{text}</span></Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
