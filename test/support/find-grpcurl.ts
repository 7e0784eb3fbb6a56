import { findGoProgram } from './find-go-program.ts';
import type { TestProgram } from './test-program.ts';

const MODULE = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@latest';

/** Finds grpcurl, as {@link findGoProgram} does. */
export function findGrpcurl(): Promise<TestProgram> {
  return findGoProgram('grpcurl', MODULE);
}
