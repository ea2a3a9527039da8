/** For tests: delivery as a process of its own, to be killed. Its configuration is the only argument. */
import { loadProcessConfig } from '../../kit/config.ts';
import { runService } from '../../kit/service.ts';
import { deliveryService } from '../service.ts';

await runService(deliveryService, await loadProcessConfig(process.argv[2] ?? ''));
process.send?.({ ready: true });
