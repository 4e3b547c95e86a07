/** Something a person can act on, in one sentence. 1: it did not go as asked; 2: wrong usage; 3: nothing could be found out. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly exitCode: 1 | 2 | 3;
  constructor(message: string, exitCode: 1 | 2 | 3 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
