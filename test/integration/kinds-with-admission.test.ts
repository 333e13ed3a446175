// The scenarios of kinds.test.ts once more, with admission.

process.env['TEST_ADMISSION'] = 'on';
await import('./kinds.test.ts');
