/** For tests: delivery as a process of its own, to be killed. Arguments: its configuration, and its keys as JSON. */
import { loadProcessConfig } from '../../kit/config.ts';
import { runService } from '../../kit/service.ts';
import { openServiceKeys } from '../../kit/service-keys.ts';
import { deliveryService } from '../service.ts';

const [, , file = '', wire = '{}'] = process.argv;
const keys = { delivery: openServiceKeys('delivery', JSON.parse(wire)) };
await runService(deliveryService, { ...(await loadProcessConfig(file)), keys });
process.send?.({ ready: true });
