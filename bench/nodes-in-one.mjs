// The program that runs several Holdfast nodes in one process, each with options of its own: what they cost can be compared to a few
// per cent, for they share the compiled code, the heap and the moment. Processes of their own differ by more than that.
import { startNode } from 'holdfast';

for (const options of process.argv.slice(2)) await startNode(JSON.parse(options));
process.on('SIGTERM', () => process.exit());
