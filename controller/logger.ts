// winston behind the Log of runtime/: one line a decision, on stderr, as text for people or JSON for machines.

import { createLogger, format, transports } from 'winston';
import type { Config } from './config.ts';
import type { Log } from './runtime/log.ts';

export function makeLog({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Log {
  const text = format.printf(({ timestamp, level, message, ...fields }) => {
    const rest = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    return [timestamp, level.padEnd(5), message, ...rest].join(' ');
  });
  const logger = createLogger({
    level: logLevel,
    format: format.combine(format.timestamp(), logFormat === 'json' ? format.json() : text),
    transports: [new transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  });
  return (level, message, fields) => {
    logger.log(level, message, fields ?? {});
  };
}
