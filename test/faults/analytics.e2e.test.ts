import { testFamilies } from './kit/family-tests.ts';
import { FAMILIES } from './scenarios/index.ts';

testFamilies('analytics', FAMILIES);
