import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiProblem, ask } from '../api/client.ts';
import { Button, Field, Input } from '../ui/controls.tsx';
import { Card } from '../ui/parts.tsx';
import type { Draft } from './draft.ts';

export function TestPart({ draft }: { draft: Draft }) {
  const [to, setTo] = useState('');
  const test = useMutation({
    mutationFn: async (address: string) => {
      const campaign = await draft.flush();
      if (!campaign) throw new Error('The draft is not saved yet: see what it needs.');
      await ask(`/v1/campaigns/${encodeURIComponent(campaign.campaign_id)}/test`, {
        method: 'POST',
        body: { to: address },
      });
      return address;
    },
  });
  const { error } = test;
  return (
    <Card title="Send a test">
      <form
        className="flex flex-col gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (to.trim() !== '') test.mutate(to.trim());
        }}
      >
        <Field
          label="Address"
          hint="One message, outside the statistics. A contact's address brings its name."
          error={
            error &&
            (error instanceof ApiProblem ? (error.problem.errors?.[0]?.detail ?? error.message) : error.message)
          }
        >
          {(ids) => (
            <span className="flex gap-2">
              <Input
                {...ids}
                autoComplete="email"
                maxLength={2_000}
                value={to}
                placeholder="you@example.org"
                onChange={(event) => setTo(event.target.value)}
              />
              <Button type="submit" busy={test.isPending} disabled={to.trim() === ''}>
                Send test
              </Button>
            </span>
          )}
        </Field>
        <p role="status" className="text-sm text-good">
          {test.data && !test.isPending && (
            <>
              The test is on its way to <bdi>{test.data}</bdi>.
            </>
          )}
        </p>
      </form>
    </Card>
  );
}
