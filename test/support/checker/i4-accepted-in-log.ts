import { type Check, findings, surplusOf } from './facts.ts';

/** I4: what was accepted is what can be read back from the lanes: nothing is missing, and what is there twice is counted. */
export const acceptedInLog: Check = ({ history, accepted, lane, latestRun }, limit) => {
  if (history.messages.length === 0) return 'unknown';
  const surplus = surplusOf(lane);
  const twice = [...lane].filter(([, group]) => group.length > 1).map(([key]) => key);
  const missingRuns: string[] = [];
  for (const [id, latest] of latestRun)
    for (let run = 1; run <= latest; run++) if (!lane.has(`${id} run ${run}`)) missingRuns.push(`${id} run ${run}`);
  return findings({
    'messages never written to the lane': [...accepted].filter((id) => !lane.has(`${id} run 0`)),
    'runs never written to the lane': missingRuns,
    'redriven messages that do not say by which redrive': history.messages
      .filter((message) => message.run > 0 && message.redrive === '')
      .map((message) => message.messageId),
    [`doubledMessages: ${surplus}, at most ${limit.doubledMessages} can be explained`]:
      surplus > limit.doubledMessages ? twice : [],
  });
};
