"""The models: calls, tokens, cost."""

from __future__ import annotations

from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections.charts import below, chart
from deia.report.sections.figures import NONE, dollars, some
from deia.report.sections.links import finder
from deia.report.sections.tables import ROWS, more, table
from deia.text import count, duration, named_model, share


def section(report: Report) -> Markup | None:
    """Return the models: calls, tokens, cost."""
    profile = report.profile
    if not profile.models:
        return None
    shown = list(profile.models.items())[:ROWS]
    figures = join(
        [
            table(
                "Models",
                [
                    "Model",
                    "Calls|",
                    "Errors|",
                    "Retries|",
                    "Input|",
                    "of it cached|",
                    "Output|",
                    "Cost|",
                    "Time|",
                    "Median|",
                    "95 %|",
                    "First token|",
                ],
                (
                    [
                        finder(named_model(name)),
                        count(model.calls),
                        some(model.errors),
                        some(model.retries),
                        count(model.input_tokens),
                        share(model.cache_read_tokens, model.input_tokens),
                        count(model.output_tokens),
                        dollars(model.cost_usd),
                        duration(model.effort_ms),
                        duration(model.p50_ms),
                        duration(model.p95_ms),
                        NONE if model.first_token_p50_ms is None else duration(model.first_token_p50_ms),
                    ]
                    for name, model in shown
                ),
            ),
            more(len(profile.models), "model"),
        ]
    )
    charts = tag("div", chart("cost", "Cost by model"), chart("token-counts", "Tokens by model"), class_="charts")
    return below(charts, figures)
