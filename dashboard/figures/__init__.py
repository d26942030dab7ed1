"""Arrays to plotly figures: pure functions, one module for each page that draws with plotly.

Only those pages import them: plotly costs what the rest of the dashboard does without.
"""
