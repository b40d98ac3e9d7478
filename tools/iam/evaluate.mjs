// Reads a JSON list of simulations, writes the list of their results: Allowed, ExplicitlyDenied or ImplicitlyDenied.
import { readFileSync } from 'node:fs'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const results = []
for (const simulation of JSON.parse(readFileSync(0, 'utf8'))) {
  const response = await runSimulation(simulation, {})
  if (response.resultType === 'error' || response.errors) throw new Error(JSON.stringify(response.errors))
  results.push(response.overallResult ?? response.analysis?.result ?? JSON.stringify(response))
}
process.stdout.write(JSON.stringify(results))
