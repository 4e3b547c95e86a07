import type { ProblemView } from '@volley/contract/http';
import { ApiProblem, addressOf, authorization } from '../api/client.ts';
import type { ImportReport } from '../api/types.ts';
import type { FileType } from './inspect-file.ts';

/** How an upload came out. `sentAll`: the API had the whole file, and may have taken it all the same. */
export type Outcome =
  | { readonly kind: 'done'; readonly report: ImportReport }
  | { readonly kind: 'refused'; readonly problem: ApiProblem }
  | { readonly kind: 'lost' | 'cancelled'; readonly sentAll: boolean };

interface Upload {
  readonly file: File;
  readonly type: FileType;
  readonly addTag: string;
  onSent(bytes: number): void;
  onSentAll(): void;
  onEnd(outcome: Outcome): void;
}

/**
 * Streams a file to the import, and returns what cancels it. By XMLHttpRequest: `fetch` tells nothing of how far an
 * upload is, and a file that is given as it is never lies in memory.
 */
export function upload({ file, type, addTag, onSent, onSentAll, onEnd }: Upload): () => void {
  const request = new XMLHttpRequest();
  let sentAll = false;
  request.open('POST', addressOf('/v1/contacts/import', { add_tag: addTag }));
  for (const [name, value] of Object.entries({ Accept: 'application/json', ...authorization() }))
    request.setRequestHeader(name, value);
  request.setRequestHeader('Content-Type', type);
  request.upload.onprogress = (event) => onSent(Math.min(event.loaded, file.size));
  request.upload.onload = () => {
    sentAll = true;
    onSentAll();
  };
  request.onabort = () => onEnd({ kind: 'cancelled', sentAll });
  request.onerror = () => onEnd({ kind: 'lost', sentAll });
  request.onload = () => onEnd(answerOf(request));
  request.send(file);
  return () => request.abort();
}

function answerOf(request: XMLHttpRequest): Outcome {
  const { status, statusText, responseText } = request;
  const retryAfter = Number(request.getResponseHeader('retry-after')) || undefined;
  try {
    const body: unknown = JSON.parse(responseText);
    if (status === 200) return { kind: 'done', report: body as ImportReport };
    const problem = body as ProblemView;
    if (typeof problem.code === 'string') return { kind: 'refused', problem: new ApiProblem(problem, retryAfter) };
  } catch {
    // Not from the API: something between us.
  }
  const title = `${status} ${statusText}`.trim();
  const code = status === 401 ? 'unauthorized' : status >= 500 ? 'unavailable' : 'internal';
  const problem: ProblemView = { type: 'about:blank', title, status, code, detail: title, request_id: '' };
  return { kind: 'refused', problem: new ApiProblem(problem, retryAfter) };
}
