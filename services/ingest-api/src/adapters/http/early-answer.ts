import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long a client that was answered may go on sending, and how long it may be silent meanwhile. */
const LINGER_MS = 30_000;
const SILENT_MS = 2_000;

/**
 * Answers before the end of the request's body, whose headers say that the connection closes. A connection that is closed
 * with bytes unread is reset, and most clients then report the reset and never look at the answer: so what still comes
 * is read and dropped until the client has stopped (nginx calls it lingering close).
 */
export function answerEarly(req: IncomingMessage, res: ServerResponse, body: string): void {
  res.write(body);
  const end = () => {
    clearTimeout(longest);
    clearTimeout(silent);
    req.off('readable', drop);
    res.end();
  };
  const longest = setTimeout(end, LINGER_MS);
  const silent = setTimeout(end, SILENT_MS);
  // Not `resume`: a reader that was left in the middle may still be listening, and has the same right to a chunk.
  function drop(): void {
    while (req.read() !== null) silent.refresh();
  }
  req.on('readable', drop).once('end', end).once('close', end);
  drop();
}
