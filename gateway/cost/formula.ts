/** The dearest there is: costs stop here, and are never infinite. */
export const most = Number.MAX_SAFE_INTEGER

export type Variables = Readonly<Record<string, unknown>>

/** A figure: known, or the number of the step that finds it. */
export type Term = number | { readonly step: number }

type Step = (figures: readonly number[], variables: Variables) => number

/**
 * Makes a function of the variables, once, that is cheap to call: each step is taken once however many terms have it, and
 * what depends on no variable is reckoned while the formula is made. No figure is below zero or above `most`.
 */
export function createFormula() {
  const steps: Step[] = []
  const define = (step: Step): Term => ({ step: steps.push(step) - 1 })

  return {
    sum: (...terms: Term[]): Term => combine(terms, 0, (a, b) => a + b, define),
    largest: (...terms: Term[]): Term => combine(terms, 0, Math.max, define),
    product(a: Term, b: Term): Term {
      if (a === 0 || b === 0) return 0
      return combine([a, b], 1, (a, b) => a * b, define)
    },
    /** What a variable decides. */
    variable: (read: (variables: Variables) => number): Term =>
      define((_figures, variables) => bounded(read(variables))),
    /** Ends the formula: all that it is for is in the term. */
    compile(result: Term): (variables: Variables) => number {
      if (typeof result === 'number') return () => result
      const figures: number[] = new Array(steps.length).fill(0)
      return (variables) => {
        for (let index = 0, step = steps[0]; step; step = steps[++index]) figures[index] = step(figures, variables)
        return figures[result.step] ?? most
      }
    },
  }
}

export type Formula = ReturnType<typeof createFormula>

/** Holds a figure, which is a number, between nothing and the most there is. */
export function bounded(figure: number): number {
  return Math.min(Math.max(figure, 0), most)
}

function combine(
  terms: readonly Term[],
  neutral: number,
  operator: (a: number, b: number) => number,
  define: (step: Step) => Term,
): Term {
  // Bounded at the end alone: what is summed may be below zero, and no product of two bounded figures is infinite.
  const known = terms.reduce<number>((all, term) => (typeof term === 'number' ? operator(all, term) : all), neutral)
  const open = terms.flatMap((term) => (typeof term === 'number' ? [] : term.step))
  if (open.length === 0) return bounded(known)
  return define((figures) => {
    let all = known
    for (const step of open) all = operator(all, figures[step] ?? most)
    return bounded(all)
  })
}
