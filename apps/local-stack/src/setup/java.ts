import { execFile } from 'node:child_process';
import { StackError } from '../stack-error.ts';
import { toolEnvironment } from './cache.ts';

export interface Java {
  command: string;
  major: number;
  /** Everything `java -version` says: a class archive of one JVM is of no use to another. */
  version: string;
}

const howToInstall =
  'install Java 17 or newer and Maven (Debian: apt-get install default-jre-headless maven), or name external stores in VOLLEY_KAFKA_BROKERS and VOLLEY_REGISTRY_URL';

export async function findJava(): Promise<Java> {
  const command = process.env.JAVA_HOME ? `${process.env.JAVA_HOME}/bin/java` : 'java';
  const version = await new Promise<string>((resolve, reject) => {
    execFile(command, ['-version'], { env: toolEnvironment() as NodeJS.ProcessEnv }, (error, stdout, stderr) => {
      if (error) reject(new StackError(`Java was not found (${command}): ${howToInstall}.`));
      else resolve(`${stdout}${stderr}`.trim());
    });
  });
  const major = javaMajor(version);
  if (major === undefined || major < 17) {
    throw new StackError(`Java 17 or newer is needed and ${command} is ${version.split('\n')[0]}: ${howToInstall}.`);
  }
  return { command, major, version };
}

/** 17 from `openjdk version "17.0.15" 2025-04-15`; 8 from the old form `"1.8.0_402"`. */
export function javaMajor(versionText: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionText);
  return match === null ? undefined : Number(match[1]);
}

export function mavenFailure(what: string, absent: boolean, tail: string[]): StackError {
  if (absent)
    return new StackError(`Maven (mvn) was not found, and ${what} comes from Maven Central: ${howToInstall}.`);
  return new StackError(
    `Maven could not download ${what}: look at setup.log, then start again. It said: ${tail.join(' | ')}`,
  );
}
