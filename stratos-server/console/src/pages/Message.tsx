import { Button, Card, CardBody, CardTitle } from '@patternfly/react-core';
import { t } from '../strings';

export function Message({ title, text, retry }: { title: string; text: string; retry?: () => void }) {
  return (
    <main className="st-front">
      <Card className="st-card">
        <CardTitle component="h1">{title}</CardTitle>
        <CardBody>
          <p role="status" className="st-gap">{text}</p>
          {retry && <Button variant="secondary" onClick={retry}>{t.retry}</Button>}
        </CardBody>
      </Card>
    </main>
  );
}
