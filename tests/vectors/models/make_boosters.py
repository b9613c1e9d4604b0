"""Makes `boosters/`: small models of LightGBM 4.7 and XGBoost 3.2, as text and JSON.

Run in an environment with both and NumPy; the output is in the repository, so that tests need neither.
"""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import xgboost

HERE = Path(__file__).parent / "boosters"
ROWS = 400


def main() -> None:
    random = np.random.default_rng(0)
    x = random.random((ROWS, 5))
    x[:, 4] = random.integers(0, 12, ROWS)
    y = ((x[:, 4] % 3 == 0) ^ (x[:, 0] > 0.7)).astype(float)
    common = {"verbose": -1, "num_leaves": 8, "num_threads": 1}
    for name, more, data in (
        ("categories", {"objective": "binary"}, {"categorical_feature": [4]}),
        ("linear", {"objective": "regression", "linear_tree": True}, {}),
    ):
        lightgbm.train(common | more, lightgbm.Dataset(x, y, **data), 6).save_model(HERE / f"{name}.lgb.txt")
    kinds = {"feature_types": ["q", "q", "q", "q", "c"], "enable_categorical": True}
    for name, more, data in (
        ("categories", {"tree_method": "hist", "max_cat_to_onehot": 1}, kinds),
        ("dart", {"booster": "dart", "rate_drop": 0.5}, {}),
    ):
        trained = xgboost.train({"nthread": 1, "max_depth": 4} | more, xgboost.DMatrix(x, y, **data), 5)
        trained.save_model(HERE / f"{name}.xgb.json")
    both = xgboost.DMatrix(x, np.stack([y, 1 - y], 1))
    more = {"multi_strategy": "multi_output_tree", "tree_method": "hist", "max_depth": 4, "nthread": 1}
    xgboost.train(more, both, 5).save_model(HERE / "vectors.xgb.json")


if __name__ == "__main__":
    main()
