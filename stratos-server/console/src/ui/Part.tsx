import type { ReactNode } from 'react';
import { Card, CardBody, CardTitle } from '@patternfly/react-core';
import type { UseQueryResult } from '@tanstack/react-query';
import { t } from '../strings';
import { ErrorPanel, Loading } from './parts';

/** One part of a page: what the others show does not depend on whether this one could be loaded. */
export function Part<T>({ title, query, isEmpty, tools, children }: {
  title: string; query: UseQueryResult<T>; isEmpty: (data: T) => boolean; tools?: ReactNode; children: (data: T) => ReactNode;
}) {
  return (
    <Card className="st-section">
      <CardTitle component="h2">{title}</CardTitle>
      <CardBody>
        {query.isLoading && <Loading />}
        {query.error && <ErrorPanel title={t.cf.unavailable(title)} error={query.error} retry={() => void query.refetch()} />}
        {query.data !== undefined && !query.error && tools && <div className="st-tools">{tools}</div>}
        {query.data !== undefined && !query.error && (isEmpty(query.data) ? <p>{t.cf.emptyList(title.toLowerCase())}</p> : children(query.data))}
      </CardBody>
    </Card>
  );
}
