"""The dashboard: `streamlit run app.py`, for viewers `streamlit run app.py -- --viewer`."""

import sys

import streamlit as st
from starlette.middleware import Middleware

from dashboard import access, guard, landing, routing, server

access.settle(sys.argv, __file__)
password = guard.password()
if warning := guard.warning(password):
    print(f"\n  {warning}.\n", file=sys.stderr)
app = st.App(
    "dashboard/main.py",
    routes=landing.routes,
    lifespan=server.lifespan,
    middleware=[Middleware(guard.Guard, word=password), Middleware(routing.Api)],
)
