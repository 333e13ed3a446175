// The scenarios of history.test.ts once more, with admission.

process.env['TEST_ADMISSION'] = 'on';
await import('./history.test.ts');
