import type { Channel, Failure, OutgoingMessage } from '../ports.ts';

/**
 * The provider of rehearsals: gets a message as the real one would, and sends nothing. `refusal`: why the channel would
 * refuse it without having asked anybody.
 */
export const createRehearsalChannel = (refusal: (message: OutgoingMessage) => Failure | undefined): Channel => ({
  async send(message) {
    const failure = refusal(message);
    return failure === undefined ? { ok: true, detail: 'a rehearsal: nothing was sent' } : { ok: false, failure };
  },
  close: async () => {},
});
