"""Expected figures of engine/eval/intervals.h from scipy and statsmodels: tests/golden/intervals.json.
Made with numpy 2, scipy 1.15+, statsmodels 0.14+; seeds inside."""
import json, pathlib, sys
import numpy as np
import scipy.stats as st
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(7)
out = {"student": [], "t_interval": [], "mean_interval": [], "mcnemar": [], "holm": [], "paired": []}
for degrees in (1, 2, 3.5, 7, 11, 30, 199, 4000):
    for p in (0.6, 0.9, 0.95, 0.975, 0.995):
        q = st.t.ppf(p, degrees)
        out["student"].append([degrees, p, q, 1.3, st.t.cdf(1.3, degrees)])
for n in (2, 3, 5, 12):
    x = rng.normal(0.3, 0.1, n)
    low, high = st.t.interval(0.95, n - 1, x.mean(), st.sem(x))
    out["t_interval"].append([x.tolist(), x.mean(), low, high])
for clusters in (7, 25, 60):
    c = np.sort(rng.integers(0, clusters, 4 * clusters))
    x = rng.normal(size=clusters)[c] + rng.normal(size=len(c))
    fit = sm.OLS(x, np.ones_like(x)).fit(cov_type="cluster", cov_kwds={"groups": c}, use_t=True)
    low, high = fit.conf_int(0.05)[0]
    out["mean_interval"].append([x.tolist(), c.tolist(), float(fit.params[0]), low, high])
for b, c in ((0, 0), (0, 5), (3, 9), (10, 10), (41, 17), (200, 260), (1, 0)):
    p = mcnemar([[50, b], [c, 50]], exact=True).pvalue
    out["mcnemar"].append([b, c, float(min(1.0, p))])
for n in (1, 4, 9):
    p = np.concatenate([rng.uniform(0, 0.05, n), rng.uniform(0, 1, n)])
    out["holm"].append([p.tolist(), multipletests(p, method="holm")[1].tolist()])
# Paired bootstrap over examples and over clusters: the standard error of many more draws.
for n, clusters in ((120, 0), (400, 0), (300, 60)):
    a = (rng.uniform(size=n) < 0.8).astype(float)
    b = np.where(rng.uniform(size=n) < 0.7, a, (rng.uniform(size=n) < 0.5).astype(float))
    d = a - b
    if clusters:
        c = np.arange(n) // (n // clusters)
        unit = np.array([d[c == k].mean() for k in range(clusters)])
    else:
        c, unit = np.arange(n), d
    r = st.bootstrap((unit,), np.mean, n_resamples=20000, method="percentile", random_state=np.random.default_rng(3))
    m = len(unit)
    half = st.t.ppf(0.975, m - 1) * r.standard_error * np.sqrt(m / (m - 1))
    out["paired"].append([a.tolist(), b.tolist(), c.tolist(), d.mean(), half, int(((a > b)).sum()), int((b > a).sum())])
pathlib.Path(sys.argv[1]).write_text(json.dumps(out))
