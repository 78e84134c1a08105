# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys
import unittest

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from squall.survival import Times, kaplan_meier

# Weeks of remission of 21 patients with 6-mercaptopurine (Freireich and others 1963), the example
# of most textbooks: Cox and Oakes, Analysis of Survival Data, 1984, section 1.1; Kalbfleisch and
# Prentice, The Statistical Analysis of Failure Time Data. Negative: still in remission then.
WEEKS = np.array(
    [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]
)


class KaplanMeier(unittest.TestCase):
    def setUp(self):
        self.found = kaplan_meier(np.abs(WEEKS), WEEKS < 0)

    def test_textbook(self):
        found = self.found
        self.assertEqual(found.s.tolist(), [6, 7, 10, 13, 16, 22, 23])
        self.assertEqual(found.at_risk.tolist(), [21, 17, 15, 12, 11, 7, 6])
        self.assertEqual(found.events.tolist(), [3, 1, 1, 1, 1, 1, 1])
        published = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
        np.testing.assert_allclose(found.share, published, atol=5e-4)

    def test_median(self):
        self.assertEqual(self.found.quantile(0.5), 23)
        self.assertEqual(self.found.quantile(0.1), 6)
        self.assertEqual(self.found.quantile(0.9), np.inf)

    def test_interval_is_that_of_the_log_of_the_cumulative_hazard(self):
        # At 10 weeks: Greenwood's sum by hand, and the formula written otherwise.
        greenwood = 3 / (21 * 18) + 1 / (17 * 16) + 1 / (15 * 14)
        share = self.found.share[2]
        self.assertAlmostEqual(share * np.sqrt(greenwood), 0.0963, places=4)  # as published
        middle, half = np.log(-np.log(share)), 1.959964 * np.sqrt(greenwood) / -np.log(share)
        self.assertAlmostEqual(self.found.low[2], np.exp(-np.exp(middle + half)), places=5)
        self.assertAlmostEqual(self.found.high[2], np.exp(-np.exp(middle - half)), places=5)

    def test_without_censoring_it_is_the_share_that_is_left(self):
        found = kaplan_meier(np.array([4.0, 1.0, 2.0, 2.0]), np.zeros(4, bool))
        np.testing.assert_allclose(found.share, [0.75, 0.25, 0])
        self.assertEqual((found.low[-1], found.high[-1]), (0, 0))
        self.assertEqual([found.quantile(p) for p in (0.25, 0.3, 0.75, 1)], [1, 2, 2, 4])

    def test_when_all_are_censored_nothing_is_known(self):
        found = kaplan_meier(np.array([3.0, 3.0]), np.ones(2, bool))
        self.assertEqual(found.share.size, 0)
        self.assertEqual(found.quantile(0.5), np.inf)

    def test_shapes(self):
        with self.assertRaisesRegex(ValueError, "one value for each"):
            kaplan_meier(np.array([1.0, 2.0]), np.array([True]))


class CensoredTimes(unittest.TestCase):
    def test_shares_and_restricted_times(self):
        times = Times(np.array([2.0, 9.0, 30.0]), np.array([False, False, True]))
        self.assertAlmostEqual(times.share_censored, 1 / 3)
        self.assertEqual(times.restricted(5).tolist(), [2, 5, 5])
        with self.assertRaisesRegex(ValueError, "not known up to 40 s"):
            times.restricted(40)
        self.assertEqual(times.survival().s.tolist(), [2, 9])


if __name__ == "__main__":
    unittest.main()
