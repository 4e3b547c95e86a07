import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Card } from '../ui/parts.tsx';
import { ImportForm } from './import-form.tsx';
import { ImportProgress } from './import-progress.tsx';
import { ImportResult } from './import-result.tsx';
import { useImportRun } from './import-run.ts';

export function ImportCard() {
  const run = useImportRun();
  const cache = useQueryClient();
  const isDone = run.step === 'ended' && run.outcome.kind !== 'refused';
  useEffect(() => {
    if (isDone) void cache.invalidateQueries({ queryKey: ['contacts'] });
  }, [isDone, cache]);
  return (
    <Card title="Import">
      {run.step === 'idle' && <ImportForm />}
      {(run.step === 'sending' || run.step === 'working') && <ImportProgress run={run} />}
      {run.step === 'ended' && <ImportResult run={run} />}
    </Card>
  );
}
