export { ownerOfData } from './data-folder.ts';
export { type SupervisedService, type SuperviseOptions, superviseService } from './process/supervise-service.ts';
export { startStack } from './stack.ts';
export { StackError } from './stack-error.ts';
export type { RunningStack, StackAddresses, StackOptions, StoreName } from './types.ts';
