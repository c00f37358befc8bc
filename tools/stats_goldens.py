"""Makes tests/golden/stats.safetensors with SciPy and statsmodels.

Usage: python3 tools/stats_goldens.py [FOLDER]   (needs scipy, statsmodels and safetensors)
"""

import sys
from pathlib import Path

import numpy as np
import statsmodels.api as sm
from safetensors.numpy import save_file
from scipy import integrate, optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

X = np.array([-40.0, -8.0, -3.1, -1.0, -0.2, 0.0, 0.7, 1.96, 4.5, 9.0])
P = np.array([1e-9, 1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999])
DF = np.array([1.0, 2.0, 2.7, 5.0, 18.0, 240.5])


def distributions(out):
    out["x"], out["p"], out["df"] = X, P, DF
    out["normal.cdf"], out["normal.quantile"] = stats.norm.cdf(X), stats.norm.ppf(P)
    out["t.cdf"] = stats.t.cdf(X[None], DF[:, None])
    out["t.quantile"] = stats.t.ppf(P[None], DF[:, None])
    out["t.two_sided_p"] = 2 * stats.t.sf(np.abs(X)[None], DF[:, None])
    out["chi2.cdf"] = stats.chi2.cdf(np.abs(X)[None], DF[:, None])
    out["chi2.quantile"] = stats.chi2.ppf(P[None], DF[:, None])
    for name, of in (("f.cdf", lambda d: stats.f.cdf(np.abs(X)[None], 3.0, d)),
                     ("f.upper_p", lambda d: stats.f.sf(np.abs(X)[None], 3.0, d)),
                     ("f.quantile", lambda d: stats.f.ppf(P[None], 3.0, d)),
                     ("noncentral_t.cdf", lambda d: stats.nct.cdf(X[None, 2:], d, 1.3))):
        out[name] = of(DF[:, None])
    ends = np.array([[-np.inf, -35.0], [-12.0, -11.5], [-1.0, 2.0], [3.0, np.inf], [20.0, 20.1]])
    out["interval.ends"] = ends
    # log(Phi(high) - Phi(low)) in the lower tail, where nothing cancels.
    flip = ends[:, 0] > 0
    low, high = np.where(flip, -ends[:, 1], ends[:, 0]), np.where(flip, -ends[:, 0], ends[:, 1])
    above, below = stats.norm.logcdf(high), stats.norm.logcdf(low)
    out["interval.log_p"] = above + np.log1p(-np.exp(below - above))


def design(arm, seed):
    """Arms as indicators, seeds as deviations that sum to 0."""
    seeds = seed.max() + 1
    x = np.zeros((len(arm), arm.max() + seeds))
    x[np.arange(len(arm)), arm] = 1
    for s in range(seeds - 1):
        x[:, arm.max() + 1 + s] = (seed == s).astype(float) - (seed == seeds - 1)
    return x


def two_way(out, name, arms, seeds, missing, rng):
    arm, seed = (m.ravel() for m in np.meshgrid(np.arange(arms), np.arange(seeds), indexing="ij"))
    keep = ~np.isin(arm * seeds + seed, missing)
    arm, seed = arm[keep], seed[keep]
    y = 0.4 * arm + rng.normal(0, 0.3, seeds)[seed] + rng.normal(0, 0.2, len(arm))
    fit = sm.OLS(y, design(arm, seed)).fit()
    seeds_only = sm.OLS(y, sm.add_constant(np.eye(seeds)[seed][:, 1:])).fit()
    out[f"{name}.arm"], out[f"{name}.seed"] = arm.astype(float), seed.astype(float)
    out[f"{name}.y"] = y
    out[f"{name}.means"] = fit.params[:arms]
    f, p, _ = fit.compare_f_test(seeds_only)
    out[f"{name}.f_test"] = np.array([f, fit.df_resid, p])
    out[f"{name}.residual_sd"] = np.array([np.sqrt(fit.mse_resid)])
    rows = []
    for a in range(1, arms):
        c = np.zeros(fit.params.size)
        c[0], c[a] = -1, 1
        t = fit.t_test(c)
        rows.append(np.concatenate([t.effect, np.ravel(t.sd), np.ravel(t.pvalue), t.conf_int()[0]]))
    out[f"{name}.contrasts"] = np.array(rows)  # estimate, error, p, low, high
    if not missing:  # the arm's mean with seeds at random: balanced analysis of variance
        means = np.array([y[seed == s].mean() for s in range(seeds)])
        between = arms * means.var(ddof=1)
        v = np.array([between, (arms - 1) * fit.mse_resid]) / (arms * seeds)
        df = v.sum() ** 2 / (v**2 / np.array([seeds - 1, fit.df_resid])).sum()
        half = stats.t.ppf(0.975, df) * np.sqrt(v.sum())
        out[f"{name}.arm_mean"] = np.array([np.sqrt(v.sum()), df, half])


def log_probability(low, high, mean, sd):
    if low == high:
        return stats.norm.logpdf(low, mean, sd)
    return np.log(stats.norm.cdf(high, mean, sd) - stats.norm.cdf(low, mean, sd))


def one_arm(out):
    """Tobit of one arm: the maximum of the likelihood with the restriction log(sd)."""
    low = np.array([0.31, -0.2, 0.55, 0.9, 0.9, 0.4, -np.inf])
    high = np.array([0.31, -0.2, 0.55, np.inf, np.inf, 0.8, -0.5])

    def minus(x):
        sd = np.exp(x[1])
        return -x[1] - sum(log_probability(a, b, x[0], sd) for a, b in zip(low, high))

    def gradient(x):
        sd, g = np.exp(x[1]), np.array([0.0, 1.0])
        for a, b in zip(low, high):
            za, zb = (a - x[0]) / sd, (b - x[0]) / sd
            if a == b:
                g += [za / sd, za**2 - 1]
                continue
            p = stats.norm.cdf(zb) - stats.norm.cdf(za)
            fa, fb = stats.norm.pdf(za) / p, stats.norm.pdf(zb) / p
            g += [(fa - fb) / sd, (0 if np.isinf(a) else fa * za) - (0 if np.isinf(b) else fb * zb)]
        return -g

    rough = optimize.minimize(minus, [0.3, -1.0], jac=gradient, method="BFGS").x
    out["tobit.low"], out["tobit.high"] = low, high
    out["tobit.best"] = optimize.root(gradient, rough, tol=1e-13).x


def with_blocks(out):
    """The likelihood of two arms with random seeds, by adaptive quadrature."""
    cells = [[(0, 0.1, 0.1), (1, 0.5, 0.9)], [(0, 0.3, 0.3), (1, 0.8, 0.8)],
             [(0, -0.4, 0.0), (1, 0.9, np.inf)], [(0, -np.inf, -0.6), (1, 0.0, 0.4)]]
    mean, sd, block_sd = np.array([0.1, 0.6]), 0.15, 0.35
    total = 0
    for seed in cells:
        def f(b, seed=seed):
            logs = sum(log_probability(lo, hi, mean[a] + b, sd) for a, lo, hi in seed)
            return np.exp(logs) * stats.norm.pdf(b, 0, block_sd)
        value, _ = integrate.quad(f, -2.5, 2.5, epsabs=1e-15, epsrel=1e-12, limit=400,
                                  points=[-0.6, -0.3, 0, 0.3])
        total += np.log(value)
    out["blocks.cells"] = np.array([[s, *c] for s, seed in enumerate(cells) for c in seed])
    out["blocks.parameters"] = np.array([*mean, np.log(sd), np.log(block_sd)])
    out["blocks.log_likelihood"] = np.array([total])


def tests(out):
    p = np.array([0.04, 0.001, 0.011, 0.3, 0.012, 0.9])
    out["holm.p"], out["holm.adjusted"] = p, multipletests(p, method="holm")[1]
    d = np.array([0.3, -0.1, 0.42, 0.05, 0.27, 0.11, -0.02])
    out["flips.differences"] = d
    found = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf)
    out["flips.p"] = np.array([found.pvalue])
    effects, seeds = np.array([0.3, 0.8, 1.2]), np.array([3, 5, 10, 20])
    out["power"] = np.array([[TTestPower().power(e, n, 0.05) for n in seeds] for e in effects])
    out["power.effects"], out["power.seeds"] = effects, seeds.astype(float)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "tests/golden"
    out, rng = {}, np.random.default_rng(1)
    distributions(out)
    two_way(out, "balanced", 3, 5, [], rng)
    two_way(out, "unbalanced", 4, 6, [2, 9, 17, 18], rng)
    one_arm(out)
    with_blocks(out)
    tests(out)
    save_file({k: np.ascontiguousarray(v, dtype=np.float64) for k, v in out.items()},
              folder / "stats.safetensors")


if __name__ == "__main__":
    main()
