"""How a component's script gets into the page: loaded from the server, once for each version."""

# Relative addresses would lead nowhere: Streamlit runs this from a blob.
LOADER = """
export default async function (component) {
  const url = new URL(component.data.module, document.baseURI);
  const { mount } = await import(url.href);
  return mount(component);
}
"""
