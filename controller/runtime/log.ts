// The one shape in which runtime code reports; the composition root decides where it goes.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Fields carry keys, names, counts and reasons — never whole objects: a Secret must not end up in a log.
 */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;
