/** A start that cannot go on. The message is one sentence that says what to do; it is shown to people as it is. */
export class StackError extends Error {
  override name = 'StackError';
}
