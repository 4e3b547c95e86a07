import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ApiProblem, ask } from '../api/client.ts';
import type { AcceptedView, CampaignView, StatsView } from '../api/types.ts';
import { formatCount } from '../format.ts';
import { STATUSES } from '../states.ts';
import { Button } from '../ui/controls.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Foreign } from '../ui/parts.tsx';
import { Failure } from '../ui/states.tsx';

type Command = 'pause' | 'resume' | 'cancel' | 'close';
const DONE: Record<Command, string> = { pause: 'paused', resume: 'resumed', cancel: 'cancelled', close: 'closed' };

/** Started by a direct message rather than sent to an audience: it ends only when it is closed or cancelled. */
const takesDirect = (campaign: CampaignView) => campaign.expected === 0 && campaign.sent_at !== null;

export function useCommand(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (command: Command) =>
      ask<AcceptedView>(`/v1/campaigns/${encodeURIComponent(id)}/${command}`, { method: 'POST' }),
    // Also where it was refused: then its status is another one than what stands here.
    onSettled: () => {
      void cache.invalidateQueries({ queryKey: ['campaigns'] });
      return cache.invalidateQueries({ queryKey: ['campaign', id] });
    },
  });
}

interface CampaignActionsProps {
  readonly campaign: CampaignView;
  readonly status: string;
  readonly stats: StatsView | undefined;
  readonly command: ReturnType<typeof useCommand>;
}

export function CampaignActions({ campaign, status, stats, command }: CampaignActionsProps) {
  const [asksCancel, setAsksCancel] = useState(false);
  const pending = command.isPending ? command.variables : undefined;
  const canCancel = status === 'running' || status === 'paused';
  const isClosed = command.isSuccess && command.variables === 'close';
  const act = (name: Command) => () => command.mutate(name);
  return (
    <>
      {(status === 'running' || status === 'paused') && (
        <PauseResume status={status} pending={pending} onAct={(name) => command.mutate(name)} />
      )}
      {canCancel && takesDirect(campaign) && !isClosed && (
        <Button
          title="It takes no more direct messages, and ends with those it has"
          busy={pending === 'close'}
          disabled={command.isPending}
          onClick={act('close')}
        >
          Close
        </Button>
      )}
      {canCancel && (
        <Button kind="danger" disabled={command.isPending} onClick={() => setAsksCancel(true)}>
          Cancel campaign…
        </Button>
      )}
      <Dialog
        title="Cancel this campaign?"
        open={asksCancel}
        onClose={() => setAsksCancel(false)}
        actions={
          <>
            <Button onClick={() => setAsksCancel(false)}>Keep it</Button>
            <Button
              kind="danger"
              onClick={() => {
                setAsksCancel(false);
                command.mutate('cancel');
              }}
            >
              Cancel campaign
            </Button>
          </>
        }
      >
        <p>
          <Foreign text={campaign.name.slice(0, 200)} className="font-medium" />
        </p>
        {stats ? (
          <p className="num">
            {formatCount(stats.queued + stats.retrying)} of {formatCount(stats.total)} messages are not sent yet and
            will not be sent. The {formatCount(stats.sent)} that went out stay sent.
          </p>
        ) : (
          <p>What is not sent yet will not be sent.</p>
        )}
        <p className="text-soft">This cannot be undone.</p>
      </Dialog>
    </>
  );
}

interface PauseResumeProps {
  readonly status: 'running' | 'paused';
  readonly pending: Command | undefined;
  onAct(command: 'pause' | 'resume'): void;
}

/** One button under two names: it keeps the focus of whoever has pressed it. */
const PauseResume = ({ status, pending, onAct }: PauseResumeProps) => (
  <Button
    kind={status === 'paused' ? 'primary' : 'plain'}
    busy={pending === 'pause' || pending === 'resume'}
    disabled={pending !== undefined}
    onClick={() => onAct(status === 'paused' ? 'resume' : 'pause')}
  >
    {status === 'paused' ? 'Resume' : 'Pause'}
  </Button>
);

/** A refused command, as a sentence. */
export function CommandProblem({ command }: { command: ReturnType<typeof useCommand> }) {
  if (!command.error) return null;
  const { error, variables } = command;
  if (!(error instanceof ApiProblem) || error.code !== 'illegal_transition' || !variables)
    return <Failure error={error} />;
  const { current_status: current } = error.problem as { current_status?: unknown };
  const now = typeof current === 'string' ? (STATUSES[current]?.label ?? current).toLowerCase() : undefined;
  return (
    <div
      role="alert"
      className="flex flex-wrap items-center justify-between gap-2 rounded-lg border border-warn bg-panel px-4 py-2"
    >
      {variables === 'close'
        ? `It could not be closed: ${error.problem.detail}.`
        : `It could not be ${DONE[variables]}: the campaign is ${now ?? 'in another status'} by now.`}
      <Button kind="quiet" onClick={() => command.reset()}>
        Dismiss
      </Button>
    </div>
  );
}
