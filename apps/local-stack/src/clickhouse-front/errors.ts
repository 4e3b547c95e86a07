/** An error in ClickHouse's own terms: its number, its name, its text. What clients read are exactly these. */
export interface EngineError {
  code: number;
  text: string;
}

export class FrontError extends Error {
  readonly code: number;
  readonly type: string;
  constructor(code: number, type: string, message: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

export const refusals = {
  badArguments: (message: string) => new FrontError(36, 'BAD_ARGUMENTS', message),
  notImplemented: (message: string) => new FrontError(48, 'NOT_IMPLEMENTED', message),
  syntax: (message: string) => new FrontError(62, 'SYNTAX_ERROR', message),
  unknownDatabase: (message: string) => new FrontError(81, 'UNKNOWN_DATABASE', message),
  readonly: (message: string) => new FrontError(164, 'READONLY', message),
  cancelled: (message: string) => new FrontError(394, 'QUERY_WAS_CANCELLED', message),
  tooLarge: (message: string) => new FrontError(229, 'QUERY_IS_TOO_LARGE', message),
  tooManyQueries: (message: string) => new FrontError(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', message),
  sameId: (message: string) => new FrontError(216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', message),
  accessDenied: (message: string) => new FrontError(497, 'ACCESS_DENIED', message),
  unknownRole: (message: string) => new FrontError(511, 'UNKNOWN_ROLE', message),
  requiredPassword: (message: string) => new FrontError(194, 'REQUIRED_PASSWORD', message),
  authenticationFailed: (message: string) => new FrontError(516, 'AUTHENTICATION_FAILED', message),
  sessionNotFound: (message: string) => new FrontError(372, 'SESSION_NOT_FOUND', message),
  sessionLocked: (message: string) => new FrontError(373, 'SESSION_IS_LOCKED', message),
  cannotDecompress: (message: string) => new FrontError(432, 'UNKNOWN_CODEC', message),
};

export function toEngineError(error: unknown): EngineError {
  if (error instanceof FrontError)
    return { code: error.code, text: `Code: ${error.code}. DB::Exception: ${error.message} (${error.type})` };
  const message = error instanceof Error ? error.message : String(error);
  const match = /^Code: (\d+)\. /.exec(message);
  if (match !== null) return { code: Number(match[1]), text: message };
  return { code: 1002, text: `Code: 1002. DB::Exception: ${message} (UNKNOWN_EXCEPTION)` };
}

/** As the server maps them (exceptionCodeToHTTPStatus of 26.x); every other code is 500, also 202, 241 and 252. */
const statusOfCode = new Map<number, number>([
  [194, 401],
  // Unknown user, wrong password, no access, a role that is not granted, failed authentication.
  ...[192, 193, 497, 512, 516].map((code) => [code, 403] as const),
  // Unknown: function, identifier, type, storage, table, aggregate, format, kind of query, database, setting, direction,
  // database engine, role.
  ...[46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511].map((code) => [code, 404] as const),
  // The caller's text or data.
  ...[6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676].map(
    (code) => [code, 400] as const,
  ),
  [159, 408],
  [381, 411],
  [229, 413],
  [48, 501],
  ...[76, 209, 439].map((code) => [code, 503] as const),
]);

export function httpStatus(error: unknown): number {
  return statusOfCode.get(toEngineError(error).code) ?? 500;
}
