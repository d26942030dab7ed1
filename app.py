"""The dashboard: `streamlit run app.py`."""

import streamlit as st

from dashboard import api, server

app = st.App("dashboard/main.py", routes=api.routes, lifespan=server.lifespan)
