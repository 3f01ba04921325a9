import gradio as gr


def greet(name):
    return f"Hello {name}!"


demo = gr.Interface(
    fn=greet,
    inputs=gr.Textbox(label="Your name", placeholder="Ada"),
    outputs=gr.Textbox(label="Greeting"),
    title="Hello",
    description="Type a name and be greeted.",
    examples=[["Ada"], ["Grace"]],
    cache_examples=False,
    flagging_mode="never",
    api_name="predict",
)

if __name__ == "__main__":
    demo.launch()
