"""Testing programs that push jobs: without a server, with the jobs run at once or on demand, or with a real server.

`pytest_plugins = ["shopfloor.testing.plugin"]` in `conftest.py` brings the fixtures `fake_jobs`, `inline_jobs` and
`real_jobs`. Without pytest: `with faked(…) as jobs`.
"""

from shopfloor.testing.clock import TravellingClock
from shopfloor.testing.fake import FakeJobs, faked

__all__ = ["FakeJobs", "TravellingClock", "faked"]
