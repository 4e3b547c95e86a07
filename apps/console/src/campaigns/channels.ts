import type { CampaignView } from '../api/types.ts';

export type Channel = CampaignView['channel'];

export const CHANNEL_LABELS: Readonly<Record<Channel, string>> = {
  simulated: 'Simulated',
  smtp: 'E-mail (SMTP)',
  webhook: 'Webhook',
};
export const CHANNELS = Object.keys(CHANNEL_LABELS) as readonly Channel[];
