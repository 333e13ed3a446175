// The scenarios of rollout.test.ts once more, with admission.

process.env['TEST_ADMISSION'] = 'on';
await import('./rollout.test.ts');
